"""What an image is built on, how old that is, and whether there is a newer one: read from the layers, not believed.

    configuration -> chain ids of its layers -> the longest image that it begins with -> age, and where its tag went

Before it: the registry, which keeps images and moves tags. After it: checks, policies, and whoever looks at an image.
"""
