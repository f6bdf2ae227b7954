# mail: written
if header :is "subject" "one two  three" { discard; }
