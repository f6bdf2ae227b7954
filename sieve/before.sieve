# Section 1 of every address's script. Below each line "#=" stands one form of the section; the generator takes the form
# that fits and puts real values in the place of the example's.
#= script
# The Sieve script of jane@example.org.
# Written by posthouse from the switches of the address, and written anew whenever one of them changes.

require ["comparator-i;ascii-numeric", "copy", "date", "encoded-character", "fileinto", "ihave", "include",
    "mailbox", "reject", "relational", "vacation", "variables"];

set "dollar" "$";
set "spam" "no";
set "circling" "no";
set "outward" "yes";
set "keep" "yes";
set "taken" "no";

# [1] before: what the administrators of the server and of the domain want done first.
include :global :optional "before";

# Spam, as it was judged on arrival, is neither answered nor redirected.
if header :matches "X-Spam-Status" "Yes*" {
    set "spam" "yes";
    set "outward" "no";
}

# Neither is a message that has been through so many servers that it must be going in circles.
if header :count "ge" :comparator "i;ascii-numeric" "Received" "50" {
    set "circling" "yes";
    set "outward" "no";
}

