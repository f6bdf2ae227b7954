# mail: folded
if header :contains "subject" "subject that" { discard; }
