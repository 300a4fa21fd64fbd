# frozen_string_literal: true

require "json"

RSpec.describe "the report's page in a browser" do
  include Validations

  around { |example| Dir.mktmpdir { |folder| Dir.chdir(folder) { example.run } } }

  let(:images) { image_files(".", "cat.png", "dog.png", "owl.png", "fox.png") }
  let(:said) { { "dog" => "A log.", "owl" => "No owl at all, but a fox.", "fox" => "A fox fox fox fox." } }
  let(:candidate) { Validations::Speaker.new("small") { |name| said.fetch(name, "A #{name}.") } }

  def open_page(**options, &)
    validate(images, candidate, out: "out", **options.slice(:judgements))
    Browser.open("out/report.html", **options.except(:judgements), &)
  end

  def order(browser)
    browser.each(".row:not([hidden])", "e.dataset.file").map { |file| File.basename(file, ".png") }
  end

  it "shows everything and asks nobody for anything" do
    open_page do |browser|
      expect(browser.evaluate("document.title")).to eq "small: do not ship"
      browser.evaluate("Promise.all([...document.images].map((e) => { e.loading = 'eager'; return e.decode(); }))")
      expect(browser.each(".row img", "e.naturalWidth").sort).to eq [4, 5, 6, 7]
      expect(browser.each(".row:first-child del, .row:first-child ins", "e.textContent")).to eq ["fox fox fox"]
      expect(browser.each(".broken", "e.textContent")).to eq ["gibberish: repetition"]
      expect(browser.each(".charts svg, .bar", "e.getBoundingClientRect().height > 5")).to eq [true] * 4
      expect(browser.problems).to be_empty
    end
  end

  it "sorts by disagreement, loss and file, and leaves out what is identical" do
    open_page do |browser|
      expect(order(browser)).to eq %w[fox owl dog cat]
      browser.select("#sort", "file")
      expect(order(browser)).to eq %w[cat dog owl fox]
      browser.click("#differing")
      expect(order(browser)).to eq %w[dog owl fox]
      browser.click("#differing")
      browser.select("#sort", "disagreement")
      expect(order(browser)).to eq %w[fox owl dog cat]
    end
  end

  it "takes judgements, saves them, and validate reads them back" do
    said.delete("fox")
    open_page do |browser|
      expect(browser.each("#progress", "e.value")).to eq ["0 of 4 judged"]
      browser.each(".row button[data-answer=true]", "e.click()")
      browser.each(".row[data-file$='owl.png'] button[data-answer=false]", "e.click()")
      expect(browser.each("#progress", "e.value")).to eq ["4 of 4 judged, 3 useful"]
      expect(browser.each("button[aria-pressed=true]", "e.textContent").tally).to eq("Useful" => 3, "Not useful" => 1)
      expect(browser.download("#save", "saved.json")).to eq "judgements.json"
    end

    outcome = validate(images, candidate, judgements: "saved.json")
    expect(outcome.comparisons.first.verdict).to have_attributes(stability: :withheld, decided_by: :judgements)
    open_page(judgements: "saved.json") do |browser|
      expect(browser.each("#progress", "e.value")).to eq ["4 of 4 judged, 3 useful"]
      browser.select("#sort", "unjudged")
      browser.click(".row:first-child button[aria-pressed=true]")
      expect(browser.each("#progress", "e.value")).to eq ["3 of 4 judged, 3 useful"]
    end
  end

  it "can be used with the keyboard alone" do
    open_page do |browser|
      focused = Array.new(5) do
        browser.press("Tab")
        browser.evaluate("document.activeElement.id || document.activeElement.textContent")
      end
      expect(focused).to eq ["sort", "differing", "save", "Useful", "Not useful"]
      expect(browser.evaluate("getComputedStyle(document.activeElement).outlineStyle")).to eq "solid"
      browser.press("Space")
      expect(browser.each("button[aria-pressed=true]", "e.textContent")).to eq ["Not useful"]
      browser.press("Space")
      expect(browser.each("button[aria-pressed=true]", "e.textContent")).to be_empty
    end
  end

  it "can be read without its script" do
    open_page(javaScriptEnabled: false) do |browser|
      expect(browser.each(".row .text", "e.offsetHeight > 0")).to all be true
      expect(browser.each(".tools, .judge, .hint", "e.offsetHeight")).to all eq 0
    end
  end

  # WCAG 2.2, success criterion 1.4.3: the text that stands out least from what is behind it.
  let(:contrast) do
    <<~JS
      (() => {
        const light = (colour) => {
          const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          const [r, g, b] = colour.match(/[\\d.]+/g).map((v) => linear(v / 255));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const ground = (e) => {
          const colour = getComputedStyle(e).backgroundColor;
          return /, 0\\)$/.test(colour) ? ground(e.parentElement) : colour;
        };
        const says = (e) => e.offsetHeight && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        return [...document.querySelectorAll("body *:not(script)")].filter(says).map((e) => {
          const [one, other] = [light(getComputedStyle(e).color), light(ground(e))].sort((a, b) => b - a);
          return [(one + 0.05) / (other + 0.05), e.className || e.tagName];
        }).sort((a, b) => a[0] - b[0])[0];
      })()
    JS
  end

  it "has enough contrast in light and dark, and fits a telephone" do
    grounds = %w[light dark].map do |scheme|
      open_page(colorScheme: scheme, viewport: { width: 360, height: 700 }) do |browser|
        expect(browser.evaluate(contrast)).to match [be >= 4.5, String]
        expect(browser.evaluate("document.documentElement.scrollWidth")).to be <= 360
        browser.evaluate("getComputedStyle(document.body).backgroundColor")
      end
    end
    expect(grounds.uniq.size).to eq 2
  end

  it "shows hostile names and captions as text" do
    evil = %q("><img src=x onerror=alert(1)><script>alert(2)</script>'&amp;${1}</style>)
    name = "a\"'><svg onload=alert(3)>&lt;.png"
    hostile = image_files(".", name)
    base = Validations::Speaker.new("full") { "Plain #{evil} </script><script>alert(4)</script>" }
    validate(hostile + ["<b>missing</b>.png"], Validations::Speaker.new("small") { evil }, base: base, out: "out")
    Browser.open("out/report.html") do |browser|
      expect(browser.each(".file, .failures strong", "e.textContent")).to eq [name, "<b>missing</b>.png"]
      expect(browser.each(".candidate", "e.dataset.caption")).to eq [evil]
      expect(browser.each(".candidate .text:not(.old)", "e.textContent")).to eq [evil]
      expect(browser.each("script, svg svg, b, img[src=x]", "e.tagName")).to eq ["SCRIPT"]
      browser.click(".row button")
      browser.download("#save", "saved.json")
      expect(browser.problems).to be_empty
    end
    expect(JSON.parse(File.read("saved.json"))["judgements"]).to match [include("caption" => evil, "file" => end_with(name))]
  end
end
