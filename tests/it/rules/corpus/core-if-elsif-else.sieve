# mail: plain list spam
if header :contains "subject" "rust" {
    discard;
} elsif header :contains "subject" "hello" {
    redirect "a@example.com";
} else {
    keep;
}
