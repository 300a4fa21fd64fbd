# frozen_string_literal: true

require "set"
require "tsort"

module House
  # Which file of the project refers to which: `require` in Ruby, paths of `crate`, `self` and `super` in Rust.
  class Imports
    include TSort

    # @param files [Array<String>] paths from the root of the project
    def initialize(files)
      @files = files.to_set
      @edges = files.to_h { |file| [file, file.end_with?(".rs") ? rust(file) : ruby(file)] }
    end

    # @return [Array<Array<String>>] files that refer to each other, directly or by way of others
    def circles
      each_strongly_connected_component.select { |files| files.size > 1 }
    end

    private

    def tsort_each_node(&)
      @files.each(&)
    end

    def tsort_each_child(file, &)
      @edges.fetch(file).each(&)
    end

    def ruby(file)
      required = File.read(file).scan(/^\s*require(_relative)? "([^"]+)"/).map do |relative, path|
        "#{relative ? File.join(File.dirname(file), path) : File.join("lib", path)}.rb"
      end
      required.map { |path| path.gsub(%r{[^/]+/\.\./}, "") }.select { |path| @files.include?(path) }
    end

    # A name that a module hands on counts as that module's.
    def rust(file)
      root = file[%r{\A.*?/src}]
      own = module_path(file, root)
      code = File.read(file).sub(/^#\[cfg\(test\)\].*/m, "").gsub(%r{//.*$}, "")
      paths(code).filter_map { |path| resolve(root, own, path) }.uniq - [file]
    end

    def paths(code)
      listed = code.scan(/\b((?:crate|super|self)(?:::\w+)*)::\{([^{}]*)\}/m).flat_map do |head, names|
        names.split(",").map { |name| "#{head}::#{name[/\w+/]}" }
      end
      code.scan(/\b(?:crate|super)(?:::\w+)+/) + listed
    end

    def resolve(root, own, path)
      names = path.split("::")
      base = names.first == "crate" ? [] : own.dup
      base.pop while names.first == "super" && names.shift
      names.shift if %w[crate self].include?(names.first)
      names.size.downto(0) do |count|
        found = file_of(root, base + names.first(count))
        return found if found
      end
    end

    def module_path(file, root)
      file.delete_prefix("#{root}/").delete_suffix(".rs").split("/").reject { |name| %w[mod lib].include?(name) }
    end

    def file_of(root, names)
      place = [root, *names].join("/")
      names.empty? ? "#{root}/lib.rs" : ["#{place}.rs", "#{place}/mod.rs"].find { |file| @files.include?(file) }
    end
  end
end
