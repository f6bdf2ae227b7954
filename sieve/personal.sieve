# Section 5 of every address's script: the owner's own scripts. What is above the first "#=" makes this file whole by
# itself.
require ["include"];
#= none
# [5] personal: no script is active.

#= scripts
# [5] personal: the owner's own scripts, in the order their owner gave.
include :personal :optional "lists";

