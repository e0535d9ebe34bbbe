# -*- encoding: utf-8 -*-
# stub: other-made 2.1.4 x86_64-linux lib

Gem::Specification.new do |s|
  s.name = "other-made".freeze
  s.version = "2.1.4"
  s.platform = "x86_64-linux".freeze

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.require_paths = ["lib".freeze]
  s.authors = ["Lading".freeze]
  s.date = "2026-11-25"
  s.homepage = "https://example.org".freeze
  s.licenses = ["Apache-2.0".freeze]
  s.rubygems_version = "3.3.15".freeze
  s.summary = "Made for a test".freeze

  s.installed_by_version = "3.3.15" if s.respond_to? :installed_by_version
end
