// Opens what the address's #claim-... or #world-... names and brings it into view. Streamlit draws a page long after
// the browser has looked for the anchor, and the browser does not open a fold by itself.
const go = () => {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!found || !/^(claim|world)-/.test(found.id)) return false;
  const fold = found.closest('details');
  if (fold) fold.open = true;
  document.querySelectorAll('.crl-claim.here').forEach(row => row.classList.remove('here'));
  found.classList.add('here');
  found.scrollIntoView({block: 'center'});
  return true;
};
if (window.crlClaimsGo) removeEventListener('hashchange', window.crlClaimsGo);
else if (!go()) {  // the first time; the strips may come a moment later
  let left = 40;
  const again = setInterval(() => { if (go() || --left === 0) clearInterval(again); }, 250);
}
window.crlClaimsGo = go;
addEventListener('hashchange', go);
