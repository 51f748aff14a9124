// What scrolls sideways can be reached by the keyboard.
document$.subscribe(() => {
  document
    .querySelectorAll(".md-typeset__scrollwrap, math[display=block]")
    .forEach((part) => part.setAttribute("tabindex", "0"));
});
