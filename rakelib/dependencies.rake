# frozen_string_literal: true

desc "How many crates each dependency of the core brings along, and how many nothing else needs"
task :dependencies do
  tree = lambda do |*arguments|
    command = ["cargo", "tree", "--locked", "--prefix", "none", "--edges", "normal,build", "--format", "{p}", *arguments]
    IO.popen(command, err: File::NULL, &:read).lines.map { |line| line.split.first(2).join(" ") }.uniq - [""]
  end
  direct = tree.call("--package", "captioner", "--depth", "1").drop(1)
  brought = direct.to_h { |crate| [crate, tree.call("--package", crate.sub(" v", "@"))] }
  puts "| crate | crates it brings | of which nothing else needs |\n| --- | --- | --- |"
  brought.each do |name, crates|
    others = brought.except(name).values.flatten.uniq
    puts "| #{name} | #{crates.size} | #{(crates - others).size} |"
  end
  puts "| all | #{tree.call("--package", "captioner").size - 1} | |"
end
