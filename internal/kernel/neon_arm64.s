//go:build !purego

#include "textflag.h"

// The assembler has no names for these; x, y and d are numbers of vector registers.
#define FADD4(x, y, d) WORD $(0x4E20D400 | (x)<<16 | (y)<<5 | (d))
#define FMUL4(x, y, d) WORD $(0x6E20DC00 | (x)<<16 | (y)<<5 | (d))
#define FMAX4(x, y, d) WORD $(0x4E20F400 | (x)<<16 | (y)<<5 | (d))
#define FMIN4(x, y, d) WORD $(0x4EA0F400 | (x)<<16 | (y)<<5 | (d))

// ROW adds the value of A in x times the row of B in V24-V27 to the four sums of a row.
#define ROW(x, c0, c1, c2, c3) \
	VFMLA V24.S4, x.S4, c0.S4; \
	VFMLA V25.S4, x.S4, c1.S4; \
	VFMLA V26.S4, x.S4, c2.S4; \
	VFMLA V27.S4, x.S4, c3.S4

// ADDROW adds V24-V27 to four sums, whose first register has the number c.
#define ADDROW(c) \
	FADD4(24, c, c); \
	FADD4(25, c+1, c+1); \
	FADD4(26, c+2, c+2); \
	FADD4(27, c+3, c+3)

// SAME applies op with V28 to four sums.
#define SAME(op, c) \
	op(28, c, c); \
	op(28, c+1, c+1); \
	op(28, c+2, c+2); \
	op(28, c+3, c+3)

// SAMEALL is SAME for the sums of all rows.
#define SAMEALL(op) \
	SAME(op, 0); \
	SAME(op, 4); \
	SAME(op, 8); \
	SAME(op, 12); \
	SAME(op, 16); \
	SAME(op, 20)

// func neonTile6x16(t *Tile)
//
// Offsets of the fields of Tile are those that TestLayout has. Sums are in V0-V23, row by row.
TEXT ·neonTile6x16(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD 0(R0), R1
	MOVD 8(R0), R2
	MOVD 16(R0), R3
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	VEOR V8.B16, V8.B16, V8.B16
	VEOR V9.B16, V9.B16, V9.B16
	VEOR V10.B16, V10.B16, V10.B16
	VEOR V11.B16, V11.B16, V11.B16
	VEOR V12.B16, V12.B16, V12.B16
	VEOR V13.B16, V13.B16, V13.B16
	VEOR V14.B16, V14.B16, V14.B16
	VEOR V15.B16, V15.B16, V15.B16
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V23.B16, V23.B16, V23.B16
	CBZ R1, acc

loop:
	VLD1.P 64(R3), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1R.P 4(R2), [V28.S4]
	VLD1R.P 4(R2), [V29.S4]
	VLD1R.P 4(R2), [V30.S4]
	VLD1R.P 4(R2), [V31.S4]
	ROW(V28, V0, V1, V2, V3)
	VLD1R.P 4(R2), [V28.S4]
	ROW(V29, V4, V5, V6, V7)
	VLD1R.P 4(R2), [V29.S4]
	ROW(V30, V8, V9, V10, V11)
	ROW(V31, V12, V13, V14, V15)
	ROW(V28, V16, V17, V18, V19)
	ROW(V29, V20, V21, V22, V23)
	SUBS $1, R1, R1
	BNE  loop

acc:
	MOVD 40(R0), R1
	CBZ  R1, rowbias
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(0)
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(4)
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(8)
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(12)
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(16)
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(20)

rowbias:
	MOVD 48(R0), R1
	CBZ  R1, colbias
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 0)
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 4)
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 8)
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 12)
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 16)
	VLD1R.P 4(R1), [V28.S4]
	SAME(FADD4, 20)

colbias:
	MOVD 56(R0), R1
	CBZ  R1, res
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(0)
	ADDROW(4)
	ADDROW(8)
	ADDROW(12)
	ADDROW(16)
	ADDROW(20)

res:
	MOVD 64(R0), R1
	CBZ  R1, clamp
	MOVD 72(R0), R2
	LSL  $2, R2, R2
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(0)
	ADD  R2, R1, R1
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(4)
	ADD  R2, R1, R1
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(8)
	ADD  R2, R1, R1
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(12)
	ADD  R2, R1, R1
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(16)
	ADD  R2, R1, R1
	VLD1 (R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADDROW(20)

clamp:
	MOVD 80(R0), R1
	CBZ  R1, store
	ADD  $88, R0, R1
	VLD1R.P 4(R1), [V28.S4]
	SAMEALL(FMAX4)
	VLD1R (R1), [V28.S4]
	SAMEALL(FMIN4)

store:
	MOVD 24(R0), R1
	MOVD 32(R0), R2
	LSL  $2, R2, R2
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R1)
	ADD  R2, R1, R1
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R1)
	ADD  R2, R1, R1
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R1)
	ADD  R2, R1, R1
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R1)
	ADD  R2, R1, R1
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R1)
	ADD  R2, R1, R1
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R1)
	RET

// EACH computes body, of V0 (from x) and V1 (from y) into V0, for all elements of a function of slices dst, x and y.
#define EACH(body) \
	VEOR V2.B16, V2.B16, V2.B16; \
	CBZ  R1, done; \
loop: \
	VLD1.P 16(R2), [V0.S4]; \
	VLD1.P 16(R3), [V1.S4]; \
	body; \
	VST1.P [V0.S4], 16(R0); \
	SUBS $4, R1, R1; \
	BNE  loop; \
done: \
	RET

// func neonAdd(dst, x, y []float32)
TEXT ·neonAdd(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD x_base+24(FP), R2
	MOVD y_base+48(FP), R3
	EACH(FADD4(1, 0, 0))

// func neonAddRelu(dst, x, y []float32)
TEXT ·neonAddRelu(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD x_base+24(FP), R2
	MOVD y_base+48(FP), R3
	EACH(FADD4(1, 0, 0); FMAX4(2, 0, 0))

// func neonMul(dst, x, y []float32)
TEXT ·neonMul(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD x_base+24(FP), R2
	MOVD y_base+48(FP), R3
	EACH(FMUL4(1, 0, 0))

// func neonMax(dst, x, y []float32)
TEXT ·neonMax(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD x_base+24(FP), R2
	MOVD y_base+48(FP), R3
	EACH(FMAX4(1, 0, 0))

// func neonClamp(dst, x []float32, lo, hi float32)
TEXT ·neonClamp(SB), NOSPLIT, $0-56
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R1
	MOVD  x_base+24(FP), R2
	MOVD  $lo+48(FP), R3
	VLD1R.P 4(R3), [V1.S4]
	VLD1R (R3), [V2.S4]
	CBZ   R1, done

loop:
	VLD1.P 16(R2), [V0.S4]
	FMAX4(1, 0, 0)
	FMIN4(2, 0, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS  $4, R1, R1
	BNE   loop

done:
	RET

// func neonScaleShift(dst, x []float32, scale, shift float32)
TEXT ·neonScaleShift(SB), NOSPLIT, $0-56
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R1
	MOVD  x_base+24(FP), R2
	MOVD  $scale+48(FP), R3
	VLD1R.P 4(R3), [V1.S4]
	VLD1R (R3), [V2.S4]
	CBZ   R1, done

loop:
	VLD1.P 16(R2), [V0.S4]
	VMOV  V2.B16, V3.B16
	VFMLA V0.S4, V1.S4, V3.S4
	VST1.P [V3.S4], 16(R0)
	SUBS  $4, R1, R1
	BNE   loop

done:
	RET

// func neonAxpy4(dst, x []float32, ld int, a *[4]float32)
TEXT ·neonAxpy4(SB), NOSPLIT, $0-64
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R1
	MOVD x_base+24(FP), R2
	MOVD ld+48(FP), R3
	MOVD a+56(FP), R4
	LSL  $2, R3, R3
	ADD  R3, R2, R5
	ADD  R3, R5, R6
	ADD  R3, R6, R7
	VLD1R.P 4(R4), [V4.S4]
	VLD1R.P 4(R4), [V5.S4]
	VLD1R.P 4(R4), [V6.S4]
	VLD1R (R4), [V7.S4]
	CBZ  R1, done

loop:
	VLD1 (R0), [V0.S4]
	VLD1.P 16(R2), [V16.S4]
	VLD1.P 16(R5), [V17.S4]
	VLD1.P 16(R6), [V18.S4]
	VLD1.P 16(R7), [V19.S4]
	VFMLA V16.S4, V4.S4, V0.S4
	VFMLA V17.S4, V5.S4, V0.S4
	VFMLA V18.S4, V6.S4, V0.S4
	VFMLA V19.S4, V7.S4, V0.S4
	VST1.P [V0.S4], 16(R0)
	SUBS $4, R1, R1
	BNE  loop

done:
	RET

// func neonDots(dst *[32]float32, x []float32, ldx int, w []float32, ldw int, k int)
TEXT ·neonDots(SB), NOSPLIT, $0-80
	MOVD dst+0(FP), R0
	MOVD x_base+8(FP), R1
	MOVD ldx+32(FP), R2
	MOVD w_base+40(FP), R3
	MOVD ldw+64(FP), R4
	MOVD k+72(FP), R5
	LSL  $2, R2, R2
	LSL  $2, R4, R4
	ADD  R2, R1, R6
	ADD  R2, R6, R7
	ADD  R2, R7, R8
	ADD  R4, R3, R9
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	CBZ  R5, done

loop:
	VLD1.P 16(R3), [V16.S4]
	VLD1.P 16(R9), [V17.S4]
	VLD1.P 16(R1), [V18.S4]
	VLD1.P 16(R6), [V19.S4]
	VLD1.P 16(R7), [V20.S4]
	VLD1.P 16(R8), [V21.S4]
	VFMLA V18.S4, V16.S4, V0.S4
	VFMLA V18.S4, V17.S4, V1.S4
	VFMLA V19.S4, V16.S4, V2.S4
	VFMLA V19.S4, V17.S4, V3.S4
	VFMLA V20.S4, V16.S4, V4.S4
	VFMLA V20.S4, V17.S4, V5.S4
	VFMLA V21.S4, V16.S4, V6.S4
	VFMLA V21.S4, V17.S4, V7.S4
	SUBS $4, R5, R5
	BNE  loop

done:
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R0)
	RET
