# frozen_string_literal: true

require_relative "../enqueued_captions"

module MemeCaptioner
  module RSpec
    # Matchers for examples that include them.
    module Matchers
      # Whether the block enqueues captions: at least one of each record that is given, or of any.
      #
      #   expect { image.caption_later }.to have_enqueued_caption
      #   expect { image.caption_later }.to have_enqueued_caption.for(image)
      #
      # @return [EnqueuedCaptions]
      def have_enqueued_caption # rubocop:disable Naming/PredicateName
        EnqueuedCaptions.new
      end
    end
  end
end
