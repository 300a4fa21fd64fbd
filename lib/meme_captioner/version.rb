# frozen_string_literal: true

module MemeCaptioner
  # The version of the gem; the Rust crates carry the same one.
  VERSION = "0.1.0"
end
