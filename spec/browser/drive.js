// Opens a page in headless Chromium and does what it is asked, one JSON line for each question and answer:
// `node drive.js PAGE OPTIONS`, questions as [what, ...arguments].

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [page_url, options] = process.argv.slice(2);
// Debian's. Without the sandbox, which containers do not allow; the page is our own.
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1240, height: 900 }, ...JSON.parse(options) });

// Whatever a page should not do: errors, refusals of its policy, dialogs, requests to anywhere.
const problems = [];
page.on("console", (message) => problems.push(`console: ${message.text()}`));
page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
page.on("dialog", (dialog) => { problems.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
page.on("request", (request) => {
  if (!/^(file|data|blob):/.test(request.url())) problems.push(`request: ${request.url()}`);
});
await page.goto(page_url);

const answers = {
  evaluate: (expression) => page.evaluate(expression),
  click: (selector) => page.click(selector),
  select: (selector, value) => page.selectOption(selector, value),
  press: (key) => page.keyboard.press(key),
  screenshot: (path, full) => page.screenshot({ path, fullPage: full }),
  problems: () => problems,
  async download(selector, path) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(selector)]);
    await download.saveAs(path);
    return download.suggestedFilename();
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...rest] = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await answers[what](...rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
await browser.close();
