// Before the first paint: the theme that was chosen last, if one was.
(function () {
  try { var kept = localStorage.getItem("theme"); if (kept) document.documentElement.dataset.theme = kept; } catch (e) { /* no storage: follow the system */ }
})();
