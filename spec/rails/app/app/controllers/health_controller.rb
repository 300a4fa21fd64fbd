# frozen_string_literal: true

class HealthController < ApplicationController
  def show
    render plain: "well"
  end
end
