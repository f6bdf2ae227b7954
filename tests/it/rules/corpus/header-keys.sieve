# mail: plain list
if header "subject" ["one", "two", "Hello, World"] { discard; }
