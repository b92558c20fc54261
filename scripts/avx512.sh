#!/usr/bin/env bash
# Runs the tests of a package on an emulated processor with AVX-512, for machines without: boots a Linux kernel in Bochs
# whose first program runs the tests, and fails unless they pass and their AVX-512 part was among them.
#
#   scripts/avx512.sh [PACKAGE [TEST FLAG...]]        default: ./internal/kernel -test.run /avx512
#
# Debian packages: bochs bochs-term vgabios isolinux syslinux-common xorriso cpio busybox-static linux-image-cloud-amd64.
# KERNEL names another kernel than the newest in /boot (with a driver for serial ports built in); MINUTES (20) ends it.
set -euo pipefail

[ $# -gt 0 ] || set -- ./internal/kernel -test.run /avx512
package=$1
shift
kernel=${KERNEL:-$(ls -v /boot/vmlinuz-* | tail -n 1)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work"/root/{bin,dev,proc,sys,tmp} "$work"/cd
GOOS=linux GOARCH=amd64 CGO_ENABLED=0 go test -c -o "$work/root/package.test" "$package"
cp "$(command -v busybox)" "$work/root/bin/busybox"
cat >"$work/root/init" <<END
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
/package.test -test.v -test.short -test.timeout 0 ${*@Q}
echo "exit status \$?"
busybox poweroff -f
END
chmod +x "$work/root/init"

cp "$kernel" "$work/cd/kernel"
(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/cd/root.cpio"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$work/cd"
# The emulator's size of a compacted XSAVE area is not what the kernel expects, which would then do without AVX: no compaction.
cat >"$work/cd/isolinux.cfg" <<END
DEFAULT test
LABEL test
  KERNEL kernel
  INITRD root.cpio
  APPEND console=ttyS0,115200 quiet panic=-1 reboot=t mitigations=off tsc=reliable no_timer_check noxsaves clearcpuid=xsavec
END
xorriso -as mkisofs -quiet -o "$work/boot.iso" -b isolinux.bin -c boot.cat \
	-no-emul-boot -boot-load-size 4 -boot-info-table "$work/cd" 2>"$work/xorriso.log" || { cat "$work/xorriso.log"; exit 1; }

# The emulator ends when the machine is switched off, or resets because the kernel gave up. It wants a terminal, and a
# debugger's command to begin with (some builds are debuggers).
cat >"$work/bochsrc" <<END
plugin_ctrl: speaker=0
display_library: term
cpu: model=corei7_skylake_x, ips=50000000, reset_on_triple_fault=0
memory: guest=2048, host=2048
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/output
panic: action=fatal
error: action=ignore
info: action=ignore
log: $work/bochs.log
END
printf 'c\nq\n' >"$work/commands"
TERM=xterm script -qec "timeout --foreground -s INT -k 10 ${MINUTES:-20}m bochs -q -f $work/bochsrc -rc $work/commands" \
	/dev/null >"$work/screen" </dev/null || true

tr -d '\r' <"$work/output" | tee "$work/result" || { tail "$work/bochs.log"; exit 1; }
grep -q '^exit status 0$' "$work/result" || { echo "avx512.sh: the tests have not passed"; exit 1; }
grep -q '^ *--- PASS: .*/avx512[ /]' "$work/result" || { echo "avx512.sh: no AVX-512 test has run"; exit 1; }
