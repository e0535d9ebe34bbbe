"""What checks of files share: values that know their line, names of secrets and images, what gives a host away."""
