# frozen_string_literal: true

module MemeCaptioner
  # The models that can be selected: those of the {Catalogue} and those that the application registered.
  # @api private
  class Registry
    REPOSITORY = %r{\A(?!\.)[\w.-]+/(?!\.)[\w.-]+\z}
    NAME = /\A[A-Za-z0-9][A-Za-z0-9._-]*\z/

    def initialize(models = Catalogue.all)
      @models = models.to_h { |info| [info.name, info] }.freeze
      @mutex = Mutex.new
    end

    # @return [Array<ModelInfo>] in the order of the catalogue, then of registration
    def all
      @models.values.freeze
    end

    # @return [ModelInfo]
    # @raise [UnknownModelError] with suggestions
    def fetch(name)
      @models.fetch(name.to_s) { raise UnknownModelError, unknown(name.to_s) }
    end

    # Adds a model of the application's own, of whatever family. The same registration again changes nothing.
    # @see MemeCaptioner.register
    # @return [ModelInfo]
    def register(name, path: nil, repo: nil, revision: nil, quantization: nil)
      info = ModelInfo.new(name: checked_name(name), quantization: checked_quantization(quantization),
                           **origin(path, repo, revision))
      @mutex.synchronize do
        known = @models[info.name]
        raise ArgumentError, "a model named #{info.name} exists already; choose another name" if known && known != info

        @models = { **@models, info.name => info }.freeze
      end
      info
    end

    private

    def origin(path, repo, revision)
      raise ArgumentError, "give either path: (a folder or a packed file) or repo: (a hub repository)" if path.nil? == repo.nil?
      return local(path, revision) if path

      raise ArgumentError, "repo: must look like owner/name, got #{repo.inspect}" unless repo.to_s.match?(REPOSITORY)
      raise ArgumentError, "repo: needs revision: (the commit to fetch)" if revision.to_s.empty?
      unless revision?(revision.to_s)
        raise ArgumentError, "revision: must be a commit, a branch or a tag, got #{revision.inspect}"
      end

      { model_id: repo.to_s, revision: revision.to_s, hub_revision: revision.to_s, files: Families.any.pinned,
        resource: "https://huggingface.co/#{repo}", summary: "#{repo} at #{revision}, registered by the application." }
    end

    # Both become folders of the cache.
    def revision?(name)
      !name.match?(/[\\\0]/) && name.split("/", -1).none? { |part| ["", ".", ".."].include?(part) }
    end

    def local(path, revision)
      raise ArgumentError, "revision: belongs to repo:, not to path:" if revision

      expanded = Coercion.call(:path, path, "path:")
      { path: expanded, summary: "#{expanded}, registered by the application." }
    end

    def checked_name(name)
      text = name.to_s
      return text if text.match?(NAME)

      raise ArgumentError, "a model's name has only letters, digits, dots, dashes and underscores, got #{name.inspect}"
    end

    def checked_quantization(quantization)
      value = quantization.respond_to?(:to_sym) ? quantization.to_sym : quantization
      known = Families.quantizations
      return value if known.include?(value)

      raise ArgumentError, "quantization: must be #{known.compact.map(&:inspect).join(", ")} or nil, got #{quantization.inspect}"
    end

    def unknown(name)
      hints = alike(name)
      hint = hints.empty? ? "known are #{@models.keys.join(", ")}." : "did you mean #{hints.join(" or ")}?"
      of_a_hub = " Other repositories are registered first, with MemeCaptioner.register" if name.include?("/")
      "there is no model named #{name.inspect}; #{of_a_hub ? hint + of_a_hub : hint.delete_suffix(".")}"
    end

    # Those of the repository, or of its page, where the name is one; otherwise those that are spelled alike.
    def alike(name)
      id = name.delete_suffix("/").split("/").last(2).join("/")
      of_repository = @models.values.select { |info| info.model_id&.casecmp?(id) }.map(&:name)
      return of_repository if of_repository.any? || !defined?(DidYouMean::SpellChecker)

      DidYouMean::SpellChecker.new(dictionary: @models.keys).correct(File.basename(id))
    end
  end
end
