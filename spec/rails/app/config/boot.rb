# frozen_string_literal: true

# Without Bundler: the gems are Debian's packages, and meme_captioner is this checkout.
$LOAD_PATH.unshift(File.expand_path("../../../../lib", __dir__))
