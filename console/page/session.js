// Filter and folding; without it all calls are listed and each opens by a click.
(function () {
  'use strict';
  var list = Array.prototype.slice.call(document.querySelectorAll('.call'));
  var one = function (id) { return document.getElementById(id); };
  var texts = list.map(function () { return null; });
  var text = function (i) {
    if (texts[i] === null) texts[i] = list[i].textContent.toLowerCase();
    return texts[i];
  };
  var fits = function (call, i) {
    var word = one('filter').value.trim().toLowerCase();
    var wanted = one('failed').checked ? call.classList.contains('failed') : true;
    return wanted ? text(i).includes(word) : false;
  };
  var apply = function () {
    var shown = 0;
    list.forEach(function (call, i) {
      call.hidden = !fits(call, i);
      if (!call.hidden) shown++;
    });
    one('shown').textContent = shown === list.length ? '' : shown + ' of ' + list.length;
  };
  var target = function () {
    var call = location.hash.startsWith('#call-') ? one(location.hash.slice(1)) : null;
    if (call) { call.open = true; call.scrollIntoView(); }
  };
  var open = function () {
    var folded = list.some(function (call) { return call.hidden ? false : !call.open; });
    list.forEach(function (call) { if (!call.hidden) call.open = folded; });
    one('open').textContent = folded ? 'close all' : 'open all';
  };
  one('filter').addEventListener('input', apply);
  one('failed').addEventListener('change', apply);
  one('open').addEventListener('click', open);
  one('tools').addEventListener('submit', function (e) { e.preventDefault(); });
  document.addEventListener('keydown', function (e) {
    if (e.key !== '/' || e.target.tagName === 'INPUT') return;
    e.preventDefault();
    one('filter').focus();
  });
  window.addEventListener('hashchange', target);
  one('tools').hidden = false;
  apply();
  target();
})();
