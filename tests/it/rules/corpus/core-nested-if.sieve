# mail: plain list
if true {
    if false { discard; }
    elsif not false {
        if header :is "x-priority" "3" { redirect "p@example.com"; } else { redirect "q@example.com"; }
    }
}
