use crate::stage::Stage;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ticker");

/// The points of the curve.
const POINTS: &str =
    "(document.querySelector('.curve')?.getAttribute('d').match(/[ML]/g) ?? []).length";

#[tokio::test(flavor = "multi_thread")]
async fn each_page_draws_the_live_quotes_of_its_symbol() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let euro = stage.open(&application.page("/EURUSD")).await;
    let yen = stage.open(&application.page("/USDJPY")).await;
    euro.shows("#status", "Live").await;
    euro.has(&format!("{POINTS} > 20"), true).await;
    yen.has(&format!("{POINTS} > 20"), true).await;
    euro.has(
        "document.querySelector('#middle').innerText.startsWith('1.')",
        true,
    )
    .await;
    yen.has(
        "document.querySelector('#middle').innerText.startsWith('1')",
        true,
    )
    .await;
    euro.has(
        "document.querySelector('[aria-current]').innerText",
        "EURUSD",
    )
    .await;
    euro.pictures("ticker").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_goes_on_after_an_outage_without_a_reload() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let application = stage.run(PROGRAM);
    let page = stage.open(&application.page("/EURUSD")).await;
    page.has(&format!("{POINTS} > 5"), true).await;
    stage.server.stop().await;
    page.shows("#status", "The server is away").await;
    let newest = page.value("quotes.at(-1).time").await;
    page.pictures("ticker-outage").await;
    stage.server.start_again().await;
    page.shows("#status", "Live").await;
    page.has(
        &format!("quotes.filter(({{ time }}) => time > {newest}).length > 3"),
        true,
    )
    .await;
    page.has("window.loadedOnce", true).await;
}
