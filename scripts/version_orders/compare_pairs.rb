# The answer of Gem::Version to every pair of versions on standard input (two to a line, tab between).
$stdin.each_line(chomp: true) do |line|
  left, right = line.split("\t", -1)
  if [left, right].all? { |text| !text.empty? && Gem::Version.correct?(text) }
    puts(Gem::Version.new(left) <=> Gem::Version.new(right))
  else
    puts "x"
  end
end
