# frozen_string_literal: true

require_relative "specimens"
Dir[File.expand_path("family/*.rb", __dir__)].each { |file| require file }

# What holds for the models of every family in a process of Ruby.
# @param specimen [Specimen]
# @param interruptions [Integer] how many
RSpec.shared_examples "a captioning family" do |specimen, interruptions: 60|
  describe("captions") { include_examples "captions", specimen }
  describe("quantized forms") { include_examples "quantized forms", specimen }
  describe("measurements") { include_examples "measurements", specimen }
  describe("threads beside a caption") { include_examples "threads beside a caption", specimen }
  describe("captions before and after a fork") { include_examples "captions before and after a fork", specimen }
  describe("interruptions at random") { include_examples "interruptions at random", specimen, interruptions }
  describe("weights in the memory of a process") { include_examples "weights in the memory of a process", specimen }
  describe("weights that are held once") { include_examples "weights that are held once", specimen }
  describe("garbage collection") { include_examples "the compiled library under garbage collection", specimen }
end
