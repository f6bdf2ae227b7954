# mail: multi
if header :is "subject" "Grüßeaus Köln" { redirect "u@example.com"; }
