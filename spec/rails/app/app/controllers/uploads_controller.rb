# frozen_string_literal: true

# Keeps an image and has it captioned later.
class UploadsController < ApplicationController
  def create
    upload = Upload.create!(file: params.require(:file))
    upload.caption_later
    render json: { id: upload.id }, status: :created
  end

  def show
    render json: Upload.find(params[:id]).slice(:id, :caption)
  end
end
