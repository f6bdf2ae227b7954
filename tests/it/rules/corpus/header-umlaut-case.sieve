# mail: multi
if header :contains "subject" "GRÜSSE" { discard; } elsif header :contains "subject" "gRÜß" { redirect "x@example.com"; }
