# mail: multi
if header :matches "subject" "Gr*Köln" { redirect "u@example.com"; }
