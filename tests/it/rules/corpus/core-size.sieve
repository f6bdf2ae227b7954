# mail: plain multi spam
if size :over 300 { redirect "big@example.com"; } elsif size :under 1K { redirect "small@example.com"; }
