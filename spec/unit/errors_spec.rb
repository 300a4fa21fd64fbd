# frozen_string_literal: true

RSpec.describe MemeCaptioner::Error do
  def self.tells(parent, *classes)
    classes.each do |error|
      it("sorts #{error} under #{parent}") { expect(MemeCaptioner.const_get(error)).to be < MemeCaptioner.const_get(parent) }
    end
  end

  tells :PermanentError, :UnknownModelError, :UnsupportedModelError, :ModelUnavailableError, :CorruptModelError, :ImageError
  tells :ImageError, :UnreadableImageError, :ImageTooLargeError
  tells :TransientError, :DownloadError
  tells :Error, :PermanentError, :TransientError, :InternalError

  it "is an ordinary error" do
    expect(described_class.superclass).to be StandardError
  end
end
