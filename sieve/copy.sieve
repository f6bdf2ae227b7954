# Section 4 of every address's script: whether the mailbox keeps the message too. What is above the first "#=" makes
# this file whole by itself.
require ["fileinto", "ihave", "mailbox", "reject", "variables"];
set "spam" "no";
set "circling" "no";
set "outward" "yes";
set "keep" "yes";
set "taken" "no";
#= mailbox
# [4] copy: the mailbox keeps the message, unless the responder's owner wants it answered only.
if string :is "${spam}" "yes" {
    if ihave "special-use" {
        fileinto :specialuse "\\Junk" :create "Junk";
    } else {
        fileinto :create "Junk";
    }
    stop;
}
if string :is "${keep}" "no" {
    discard;
    stop;
}

#= redirected-only
# [4] copy: the mailbox keeps nothing of what was redirected. What may not be redirected, it keeps.
if string :is "${spam}" "yes" {
    if ihave "special-use" {
        fileinto :specialuse "\\Junk" :create "Junk";
    } else {
        fileinto :create "Junk";
    }
    stop;
}
if string :is "${outward}" "yes" {
    discard;
    stop;
}

#= no-mailbox
# [4] copy: there is no mailbox, so the script ends here. What nobody has taken is refused, never lost.
if string :is "${taken}" "yes" {
    discard;
} elsif string :is "${circling}" "yes" {
    reject "The message has been forwarded too often.";
} elsif string :is "${spam}" "yes" {
    reject "The message was judged spam, and this address does not forward spam.";
} else {
    reject "This address takes no mail at present.";
}
stop;

