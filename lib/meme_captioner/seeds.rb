# frozen_string_literal: true

module MemeCaptioner
  # The rows for an application's table of models, as three parallel lists in the manner of a db/seeds.rb.
  #
  #   MemeCaptioner::Seeds.apply(ImageToText) # columns: name, resource, description, current
  module Seeds
    class << self
      # @return [Array<String>] the names
      def available_models
        Catalogue::SEEDED.map(&:name)
      end

      # @return [Array<String>] the page of each model
      def resources
        Catalogue::SEEDED.map(&:resource)
      end

      # @return [Array<String>] a description of each model
      def descriptions
        Catalogue::SEEDED.map { |info| OwnVerdict.apply(info).description }
      end

      # Creates the rows that are missing and brings resource and description of the others up to date. A new first row
      # becomes the current one unless another is current already; the choice on rows that exist is never changed.
      # @param model_class [Class] an ActiveRecord model
      # @return [Array] the rows, in order
      def apply(model_class)
        available_models.zip(resources, descriptions).each_with_index.map do |(name, resource, description), index|
          row = model_class.find_or_create_by!(name: name) do |new_row|
            new_row.resource = resource
            new_row.description = description
            new_row.current = index.zero? && !model_class.exists?(current: true)
          end
          row.update!(resource: resource, description: description)
          row
        end
      end
    end
  end
end
