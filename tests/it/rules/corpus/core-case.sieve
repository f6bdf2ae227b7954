# mail: plain list
KEEP;
If TRUE { Discard; }
if HEADER :IS "SUBJECT" "hello, world" { ReDirect "a@example.com"; }
