//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxcnn/onnxcnn/internal/reftest"
)

// probe is what a browser says of the page, at a width of 390 pixels.
type probe struct {
	Width, Scroll         int
	Images, NoAlt, Broken int
	Headings              []int
	Background, Color     string
	Dark                  bool
	Foreign, Landmarks    []string
	Lang, Title           string
	Unreachable           int
	Enlarged, Loose       int
}

const probeScript = `<script>addEventListener("load", () => parent.postMessage({
	Width: innerWidth, Scroll: document.documentElement.scrollWidth,
	Images: document.images.length, NoAlt: [...document.images].filter(i => !i.alt && !i.hasAttribute("alt")).length,
	Broken: [...document.images].filter(i => !i.complete || i.naturalWidth == 0).length,
	Headings: [...document.querySelectorAll("h1,h2,h3,h4,h5")].map(h => +h.tagName[1]),
	Background: getComputedStyle(document.body).backgroundColor, Color: getComputedStyle(document.body).color,
	Dark: matchMedia("(prefers-color-scheme: dark)").matches,
	Foreign: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
	Landmarks: [...document.querySelectorAll("main,header,nav")].map(e => e.tagName),
	Lang: document.documentElement.lang, Title: document.title,
	Unreachable: [...document.querySelectorAll("*")].filter(e => e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length,
	Enlarged: [...document.querySelectorAll(".chart img")].filter(i => i.width > +i.getAttribute("width")).length,
	Loose: [...document.querySelectorAll("tbody th")].filter(h => getComputedStyle(h).position != "sticky").length,
}, "*"))</script>`

// browse opens a page in Chromium and returns the document as it is then, and what the console was told.
func browse(t *testing.T, page string, flags ...string) (dom string, console []string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		reftest.Missing(t, "Debian's package chromium")
	}
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--enable-logging=stderr", "--v=0",
		"--user-data-dir=" + t.TempDir(), "--virtual-time-budget=5000", "--dump-dom"}, flags...)
	cmd := exec.Command(chromium, append(args, "file://"+page)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "CONSOLE") {
			console = append(console, line)
		}
	}
	return stdout.String(), console
}

// The page of a run opens in a real browser without complaints and without asking for anything from elsewhere, fits a phone,
// follows the user's choice of dark and light, and has what keyboards and screen readers go by.
func TestReportInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a browser")
	}
	dir := t.TempDir()
	demo, run, page := filepath.Join(dir, "demo"), filepath.Join(dir, "run"), filepath.Join(dir, "report.html")
	succeed(t, "demo", "-o", demo, "--quiet")
	images := filepath.Join(demo, "images")
	succeed(t, "finetune", filepath.Join(demo, "backbone.onnx"), images, "-o", run, "--epochs", "3", "--quiet")
	succeed(t, "report", run, images, "-o", page, "--quiet")
	if _, console := browse(t, page); len(console) > 0 {
		t.Errorf("the console is told %q", console)
	}
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`(?i)(src|href)\s*=\s*"([^"]*)"`).FindAllStringSubmatch(string(data), -1) {
		if !strings.HasPrefix(link[2], "data:") && !strings.HasPrefix(link[2], "#") {
			t.Errorf("the page leads to %q", link[2])
		}
	}
	// The page allows no scripts: the probe goes into a copy without that rule.
	rule := regexp.MustCompile(`(?i)<meta http-equiv="Content-Security-Policy"[^>]*>`)
	if !rule.Match(data) {
		t.Error("the page does not forbid scripts and requests")
	}
	probed := append(rule.ReplaceAll(data, nil), probeScript...)
	outer := `<!doctype html><iframe src="probed.html" width=390 height=800 style="border:0"></iframe><pre id="out"></pre>
<script>addEventListener("message", e => document.getElementById("out").textContent = JSON.stringify(e.data))</script>`
	for name, content := range map[string][]byte{"probed.html": probed, "outer.html": []byte(outer)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[bool]probe{}
	for _, dark := range []bool{false, true} {
		scheme := "--blink-settings=preferredColorScheme=1"
		if dark {
			scheme = "--blink-settings=preferredColorScheme=0"
		}
		dom, _ := browse(t, filepath.Join(dir, "outer.html"), scheme)
		found := regexp.MustCompile(`(?s)<pre id="out">(.*?)</pre>`).FindStringSubmatch(dom)
		var p probe
		if found == nil || json.Unmarshal([]byte(html.UnescapeString(found[1])), &p) != nil {
			t.Fatalf("the page says nothing: %q", found)
		}
		seen[dark] = p
		switch {
		case p.Width != 390 || p.Scroll > p.Width:
			t.Errorf("a window of %d pixels, and the page has %d", p.Width, p.Scroll)
		case p.Images < 10 || p.NoAlt > 0 || p.Broken > 0:
			t.Errorf("of %d images %d have no alternative text, %d are not there", p.Images, p.NoAlt, p.Broken)
		case len(p.Foreign) > 0:
			t.Errorf("it asks for %q", p.Foreign)
		case p.Lang != "en" || p.Title == "" || !slices.Contains(p.Landmarks, "MAIN") || p.Unreachable > 0:
			t.Errorf("language %q, title %q, landmarks %q, %d things that no key reaches", p.Lang, p.Title, p.Landmarks, p.Unreachable)
		case p.Enlarged > 0 || p.Loose > 0:
			t.Errorf("%d charts are larger than they are drawn for, %d names of rows leave the window with their columns", p.Enlarged, p.Loose)
		case p.Dark != dark:
			t.Errorf("dark is %v, want %v", p.Dark, dark)
		}
		if len(p.Headings) < 5 || p.Headings[0] != 1 {
			t.Fatalf("headings %v", p.Headings)
		}
		for i, h := range p.Headings[1:] {
			if h == 1 || h > p.Headings[i]+1 {
				t.Errorf("headings %v jump", p.Headings)
				break
			}
		}
	}
	if seen[false].Background == seen[true].Background || seen[false].Color == seen[true].Color {
		t.Errorf("dark and light have the same colours: %v on %v", seen[true].Color, seen[true].Background)
	}
}
