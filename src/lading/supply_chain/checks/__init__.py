"""What is wrong beside known flaws: secrets, settings, licences and releases past their end, each as one weakness.

`weakness` is the value that every check comes to, whatever it looked at.
"""
