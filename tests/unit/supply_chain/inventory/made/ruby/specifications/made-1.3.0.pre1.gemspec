# -*- encoding: utf-8 -*-
# stub: made 1.3.0.pre1 ruby lib

Gem::Specification.new do |s|
  s.name = "made".freeze
  s.version = "1.3.0.pre1"

  s.required_rubygems_version = Gem::Requirement.new("> 1.3.1".freeze) if s.respond_to? :required_rubygems_version=
  s.require_paths = ["lib".freeze]
  s.authors = ["Lading".freeze]
  s.date = "2026-11-25"
  s.homepage = "https://example.org".freeze
  s.licenses = ["MIT".freeze, "Ruby".freeze]
  s.rubygems_version = "3.3.15".freeze
  s.summary = "Made for a test".freeze

  s.installed_by_version = "3.3.15" if s.respond_to? :installed_by_version
end
