# frozen_string_literal: true

module MemeCaptioner
  # How far a download is: the file at hand, its bytes so far and in all (nil where the server did not say), and the phase,
  # for example "downloading" or "verifying".
  Progress = Struct.new(:file, :done_bytes, :total_bytes, :phase) do
    # @return [Float, nil] from 0.0 to 1.0, nil where the size is not known
    def fraction
      return if total_bytes.nil?

      total_bytes.zero? ? 1.0 : done_bytes.fdiv(total_bytes).clamp(0.0, 1.0)
    end

    # @return [Integer, nil] whole percent, nil where the size is not known
    def percent
      fraction && (fraction * 100).floor
    end
  end
end
