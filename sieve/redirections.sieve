# Section 3 of every address's script: redirections, and the one an alias is. What is above the first "#=" makes this
# file whole by itself.
require ["copy", "variables"];
set "circling" "no";
set "outward" "yes";
set "keep" "yes";
set "taken" "no";
#= none
# [3] redirections: there are none.

#= paused
# [3] redirections: paused, so nothing is redirected.

#= paused-alias
# [3] redirections: this address is an alias, and paused.

#= alias
# [3] redirections: this address is an alias. Its mail is mail for its owner's address, spam included: that one's own
# script judges it.
if string :is "${circling}" "no" {
    if string :is "${keep}" "yes" {
        redirect :copy "jane@example.org";
    }
    set "taken" "yes";
}

#= targets
# [3] redirections: a copy for each target.
if string :is "${outward}" "yes" {
    redirect :copy "someone@example.org";
    set "taken" "yes";
}

