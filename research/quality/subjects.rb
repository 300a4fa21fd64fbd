# frozen_string_literal: true

require_relative "subjects/florence2_tiny"
require_relative "subjects/smolvlm_tiny"

module Quality
  # What `rake quality:study MODEL=` knows, by name; the first without it.
  SUBJECTS = [FLORENCE2_TINY, SMOLVLM_TINY].to_h { |subject| [subject.name, subject] }.freeze
end
