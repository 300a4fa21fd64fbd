# frozen_string_literal: true

require_relative "../support/captioning_family"

Specimens.all.each do |specimen|
  RSpec.describe specimen.title do
    include_examples "a captioning family", specimen, interruptions: specimen == Specimens.all.first ? 200 : 60
  end
end
