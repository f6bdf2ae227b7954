# mail: multi plain
if header :contains "subject" "Grüße" { redirect "u@example.com"; }
