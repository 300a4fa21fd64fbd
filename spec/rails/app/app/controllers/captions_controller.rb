# frozen_string_literal: true

# Captions while the visitor waits, and says which process did it.
class CaptionsController < ApplicationController
  def show
    answer(ImageCore.find(params[:id]).source_file_path)
  end

  def create
    answer(params.require(:image))
  end

  private

  def answer(image)
    model = params.fetch(:model) { ImageToText.current_name }
    render json: { process: Process.pid, caption: MemeCaptioner.select(model).extract(image) }
  rescue MemeCaptioner::ImageError => e
    render json: { error: e.message }, status: :unprocessable_entity
  end
end
