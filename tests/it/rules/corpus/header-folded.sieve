# mail: folded
if header :is "subject" "this is a subject that goes on and on" { discard; }
