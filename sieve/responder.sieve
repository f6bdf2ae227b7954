# Section 2 of every address's script: the responder. What is above the first "#=" makes this file whole by itself.
require ["copy", "date", "relational", "vacation", "variables"];
set "outward" "yes";
set "keep" "yes";
set "taken" "no";
#= none
# [2] responder: there is none.

#= paused
# [2] responder: paused, so nothing is answered.

#= answer
# [2] responder: answers each sender at most once in a week.
# Active from 1 Nov 2026 until 14 Nov 2026 (Europe/Berlin).
if allof (
    currentdate :zone "+0000" :value "ge" "iso8601" "2026-10-31T23:00:00",
    currentdate :zone "+0000" :value "lt" "iso8601" "2026-11-14T23:00:00",
    string :is "${outward}" "yes"
) {
    vacation :days 7
        :addresses ["jane@example.org"]
        :subject "I am away"
        :handle "posthouse responder jane@example.org"
        text:
I am away until 15 November.
.
;
    # Its owner wants what was answered not to be stored.
    set "keep" "no";
    set "taken" "yes";
    # A copy of what was answered.
    redirect :copy "copy@example.org";
    set "taken" "yes";
}

