//! One page in one browser, and bounded waits for what it shows.

use std::fmt::Debug;

use serde_json::Value;
use tests::eventually_in;
use thirtyfour::{By, WebDriver, WebElement};

use crate::stage::BOUND;

pub(crate) struct Page {
    pub(crate) driver: WebDriver,
}

impl Page {
    pub(crate) async fn open(driver: WebDriver, url: &str) -> Self {
        driver.goto(url).await.unwrap();
        let page = Self { driver };
        page.mark().await;
        page
    }

    /// Sets `window.loadedOnce`, which a page that is loaded again does not have.
    pub(crate) async fn mark(&self) {
        let mark = self.driver.execute("window.loadedOnce = true", vec![]);
        mark.await.unwrap();
    }

    /// Closes the browser.
    pub(crate) async fn close(self) {
        self.driver.quit().await.unwrap();
    }

    pub(crate) async fn find(&self, css: &str) -> WebElement {
        let found = self.driver.find(By::Css(css)).await;
        found.unwrap_or_else(|error| panic!("no {css}: {error}"))
    }

    pub(crate) async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// Replaces the text of a field.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let field = self.find(css).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// The value of an expression in JavaScript.
    pub(crate) async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        self.driver
            .execute(script, vec![])
            .await
            .unwrap()
            .json()
            .clone()
    }

    /// Waits until an expression in JavaScript has a value.
    #[track_caller]
    pub(crate) fn has<V>(&self, expression: &str, wanted: V) -> impl Future<Output = ()>
    where
        V: Debug,
        Value: PartialEq<V>,
    {
        let what = format!("{expression} is {wanted:?}");
        async move {
            let is_so = async || self.value(expression).await == wanted;
            eventually_in(BOUND, &what, is_so).await;
        }
    }

    /// Waits until the text of the only element that is meant contains a text.
    #[track_caller]
    pub(crate) fn shows(&self, css: &str, text: &str) -> impl Future<Output = ()> {
        let expression = format!(
            "document.querySelector({})?.innerText.includes({}) ?? false",
            Value::from(css),
            Value::from(text)
        );
        async move { self.has(&expression, true).await }
    }
}
