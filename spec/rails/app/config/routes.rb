# frozen_string_literal: true

Rails.application.routes.draw do
  get "health", to: "health#show"
  resources :captions, only: %i[show create]
  resources :uploads, only: %i[create show]
end
