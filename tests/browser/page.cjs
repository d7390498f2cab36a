// node page.cjs FOLDER: opens each FOLDER/*.html in Chromium, light and dark, at a desk and on a phone, with scripts and
// without, and fails if the page loads anything, runs more than its own script, complains, has to be scrolled sideways, or
// takes more than two lines for a request on a phone. Leaves a screenshot of each.
// Needs playwright-core (NODE_PATH) and a Chromium (CHROMIUM, else chromium).
const { chromium } = require("playwright-core");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const url = require("node:url");

const folder = path.resolve(process.argv[2]);
const executablePath = execFileSync("which", [process.env.CHROMIUM || "chromium"]).toString().trim();
const looks = [
  { name: "light", width: 1100, colorScheme: "light" },
  { name: "dark", width: 1100, colorScheme: "dark" },
  { name: "phone", width: 390, colorScheme: "light" },
  { name: "phone-dark", width: 390, colorScheme: "dark" },
  { name: "no-script", width: 1100, colorScheme: "light", javaScriptEnabled: false },
];

(async () => {
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const browser = await chromium.launch({ executablePath, args });
  const faults = [];
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".html"))) {
    const address = url.pathToFileURL(path.join(folder, file)).href;
    for (const { name, width, ...look } of looks) {
      const fault = (text) => faults.push(`${file}, ${name}: ${text}`);
      const page = await browser.newPage({ viewport: { width, height: 900 }, ...look });
      page.on("console", (message) => fault(`console: ${message.text()}`));
      page.on("pageerror", (error) => fault(`error: ${error}`));
      page.on("dialog", (dialog) => { fault("a dialog"); dialog.dismiss(); });
      page.on("request", (request) => {
        if (request.url().split("#")[0] !== address && !request.url().startsWith("data:")) fault(`loads ${request.url()}`);
      });
      await page.clock.install();
      await page.goto(`${address}#mr-1`);
      const seen = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        foreign: [...document.querySelectorAll("*")].filter((element) =>
          ["IMG", "IFRAME", "OBJECT", "EMBED", "FORM", "BASE"].includes(element.tagName.toUpperCase())
          || [...element.attributes].some((attribute) => attribute.name.startsWith("on"))
          || (element.tagName === "A" && !/^(https?:|#|$)/.test(element.getAttribute("href")))).map((element) => element.outerHTML),
        once: ["head title", "script", ".made time", ".age"].filter((what) => document.querySelectorAll(what).length !== 1),
        age: document.querySelector(".age").textContent,
        tall: [...document.querySelectorAll(".requests li")].filter((request) => request.clientHeight > 56).length,
        ids: [...document.querySelectorAll("[id]")].map((element) => element.id),
      }));
      if (seen.wide > 0) fault(`has to be scrolled sideways by ${seen.wide} pixels`);
      for (const what of seen.once) fault(`does not have one ${what}`);
      if (/ago|now/.test(seen.age) === (look.javaScriptEnabled === false)) fault(`is of an age of "${seen.age}"`);
      if (width < 400 && seen.tall > 0) fault(`takes more than two lines for ${seen.tall} requests`);
      if (new Set(seen.ids).size < seen.ids.length) fault("has an id twice");
      for (const element of seen.foreign) fault(`holds ${element}`);
      await page.screenshot({ path: path.join(folder, `${path.parse(file).name}-${name}.png`), fullPage: true });
      if (look.javaScriptEnabled !== false) {
        const reloaded = page.waitForEvent("load", { timeout: 10000 });
        await page.clock.fastForward(5 * 60 * 1000);
        await reloaded.catch(() => fault("does not reload"));
      }
      await page.close();
    }
  }
  await browser.close();
  faults.forEach((fault) => console.error(fault));
  process.exit(faults.length ? 1 : 0);
})();
