//! Screenshots of a page, for a developer to look at.

use std::path::Path;

use serde_json::json;

use crate::page::Page;

/// The widths of a phone and of a desktop.
const WIDTHS: [u32; 2] = [390, 1280];

impl Page {
    /// Writes pictures of the page at both widths, light and dark, if `SCREENSHOTS` is set.
    pub(crate) async fn pictures(&self, name: &str) {
        let Some(folder) = std::env::var_os("SCREENSHOTS") else {
            return;
        };
        std::fs::create_dir_all(&folder).unwrap();
        for width in WIDTHS {
            for scheme in ["light", "dark"] {
                self.set("Emulation.setDeviceMetricsOverride", json!({
                    "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600,
                })).await;
                self.set(
                    "Emulation.setEmulatedMedia",
                    json!({
                        "features": [{ "name": "prefers-color-scheme", "value": scheme }],
                    }),
                )
                .await;
                let file = Path::new(&folder).join(format!("{name}-{width}-{scheme}.png"));
                self.driver.screenshot(&file).await.unwrap();
            }
        }
        self.set("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
        self.set("Emulation.setEmulatedMedia", json!({})).await;
    }

    async fn set(&self, method: &str, parameters: serde_json::Value) {
        self.driver
            .cdp()
            .send_raw(method, parameters)
            .await
            .unwrap();
    }
}
