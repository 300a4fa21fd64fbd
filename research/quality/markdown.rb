# frozen_string_literal: true

module Quality
  # Tables for people.
  module Markdown
    # @param head [Array<String>]
    # @param lines [Array<Array<String>>]
    # @return [String]
    def self.table(head, lines)
      [head, head.map { "---" }, *lines].map { |cells| "| #{cells.join(" | ")} |\n" }.join
    end
  end
end
