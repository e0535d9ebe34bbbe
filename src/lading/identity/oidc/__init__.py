"""People who log in at the site's identity provider (OpenID Connect Core 1.0), instead of with a password kept here.

    console: begin -> the provider asks who it is -> code and state come back -> ID token -> person -> session
    command line: begin -> a code to type in at the provider -> asked until it was -> ID token -> person -> token

What the provider says of groups becomes roles, by the terms that the settings hold. Everything here happens at a login
and at no other time: who has a token goes on while the provider is away.
"""
